longhaul_room(plan SOURCES batch_tuner.cpp window.cpp memory_governor.cpp model_room.cpp LINKS base device)
longhaul_test(plan SOURCES batch_tuner_test.cpp window_test.cpp memory_governor_test.cpp model_room_test.cpp LINKS plan)
