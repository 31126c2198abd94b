longhaul_room(export
  SOURCES csv_table.cpp database_uri.cpp dataset_names.cpp export_output.cpp new_path.cpp output_table.cpp push_output.cpp push_shape.cpp repeated_key.cpp
  LINKS base domain store
  PRIVATE nlohmann_json::nlohmann_json)
longhaul_test(export
  SOURCES database_uri_test.cpp dataset_names_test.cpp export_output_test.cpp push_output_test.cpp ../store/store_driver.cpp ../fakes/fault_files.cpp
  LINKS export store
  PRIVATE nlohmann_json::nlohmann_json)
