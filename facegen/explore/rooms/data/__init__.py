"""The room Data: any source or recipe, to filter, search, rate and save."""

from facegen.explore.rooms.data.room import room as room
from facegen.explore.rooms.data.routes import routes as routes
