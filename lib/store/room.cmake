longhaul_room(store
  SOURCES array_reader.cpp block_reader.cpp checked_rows.cpp claimed_files.cpp fixed_rows.cpp gathered_file.cpp npy.cpp journal.cpp journal_state.cpp journaled_store.cpp layers.cpp
          merged_arrays.cpp merged_output.cpp next_output.cpp
          output_reader.cpp progress_json.cpp ragged_rows.cpp record_csv.cpp record_cursor.cpp retry_merge.cpp
          row_arrays.cpp row_check.cpp row_index.cpp row_sums.cpp text_file_verifier.cpp shards.cpp stamp_file.cpp store_directory.cpp store_layout.cpp
          stored_values.cpp table_check.cpp text_file.cpp verify.cpp
  LINKS base domain
  PRIVATE nlohmann_json::nlohmann_json)
longhaul_test(store
  SOURCES array_sink_test.cpp float16_test.cpp layout_json_test.cpp output_reader_test.cpp row_index_test.cpp store_test.cpp store_faults_test.cpp verify_test.cpp window_in_hand_test.cpp mutation_test.cpp merged_output_test.cpp retry_merge_test.cpp shard_driver.cpp store_driver.cpp two_writers_test.cpp ../fakes/fault_files.cpp
  LINKS store
  PRIVATE nlohmann_json::nlohmann_json)
