longhaul_room(plan SOURCES window.cpp LINKS base device)
longhaul_test(plan SOURCES window_test.cpp LINKS plan)
