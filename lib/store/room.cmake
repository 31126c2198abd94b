longhaul_room(store
  SOURCES npy.cpp journal.cpp journal_state.cpp journaled_store.cpp progress_json.cpp record_csv.cpp
          retry_merge.cpp row_file.cpp segment_check.cpp store_directory.cpp text_file.cpp verify.cpp
  LINKS base domain
  PRIVATE nlohmann_json::nlohmann_json)
longhaul_test(store
  SOURCES float16_test.cpp store_test.cpp store_faults_test.cpp verify_test.cpp mutation_test.cpp retry_merge_test.cpp store_driver.cpp ../fakes/fault_files.cpp
  LINKS store
  PRIVATE nlohmann_json::nlohmann_json)
