longhaul_room(plan SOURCES window.cpp segments.cpp rows_policy.cpp memory_governor.cpp model_memory_check.cpp LINKS base domain device)
longhaul_test(plan SOURCES window_test.cpp segments_test.cpp memory_governor_test.cpp model_memory_check_test.cpp LINKS plan)
