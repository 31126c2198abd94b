longhaul_room(plan SOURCES window.cpp workload.cpp segments.cpp rows_policy.cpp memory_governor.cpp model_memory_check.cpp LINKS base domain device)
longhaul_test(plan SOURCES window_test.cpp workload_test.cpp segments_test.cpp memory_governor_test.cpp model_memory_check_test.cpp LINKS plan)
# Its private class has fields of this file's own types, which GCC allows in a file compiled alone.
set_source_files_properties("${PROJECT_SOURCE_DIR}/lib/plan/memory_governor.cpp" PROPERTIES
                            SKIP_UNITY_BUILD_INCLUSION ON)
