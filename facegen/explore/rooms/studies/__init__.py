"""The room Studies: runs and studies side by side."""

from facegen.explore.rooms.studies.room import room as room
from facegen.explore.rooms.studies.routes import routes as routes
