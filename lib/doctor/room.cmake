longhaul_room(doctor
  SOURCES health.cpp machine_checks.cpp output_check.cpp
  LINKS base device store)
longhaul_test(doctor
  SOURCES machine_checks_test.cpp output_check_test.cpp ../fakes/fault_files.cpp
  LINKS doctor)
