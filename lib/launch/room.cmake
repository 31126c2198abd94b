longhaul_room(launch
  SOURCES process_lines.cpp process_plan.cpp supervisor.cpp
  LINKS base domain config)
longhaul_test(launch SOURCES process_lines_test.cpp process_plan_test.cpp supervisor_test.cpp LINKS launch)
