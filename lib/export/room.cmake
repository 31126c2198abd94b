longhaul_room(export
  SOURCES csv_table.cpp export_output.cpp new_path.cpp output_table.cpp
  LINKS base domain store
  PRIVATE nlohmann_json::nlohmann_json)
longhaul_test(export
  SOURCES export_output_test.cpp ../store/store_driver.cpp ../fakes/fault_files.cpp
  LINKS export store
  PRIVATE nlohmann_json::nlohmann_json)
