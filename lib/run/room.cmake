longhaul_room(run
  SOURCES window_source.cpp older_rows.cpp record_gatherer.cpp reject_policy.cpp rejected_rows.cpp repeated_ids.cpp rewound_reader.cpp batch_source.cpp open_window.cpp batch_encoder.cpp finite_share.cpp forecast.cpp
          progress_meter.cpp commits.cpp window_writer.cpp memory_watch.cpp encode_stage.cpp pipeline.cpp
  LINKS base domain input plan prepare encode device store
  PRIVATE Threads::Threads)
longhaul_test(run
  SOURCES finite_share_test.cpp window_source_test.cpp record_gatherer_test.cpp rewound_reader_test.cpp reject_policy_test.cpp rejected_rows_test.cpp repeated_ids_test.cpp forecast_test.cpp memory_pressure_test.cpp part_rows_test.cpp
  LINKS run fakes)
