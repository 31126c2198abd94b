longhaul_room(device SOURCES placeholder.cpp LINKS base)
