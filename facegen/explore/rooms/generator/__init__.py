"""The room Generator: any run, export or import, to turn, mix and ask."""

from facegen.explore.rooms.generator.room import room as room
