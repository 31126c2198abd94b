longhaul_room(session
  SOURCES auto_settings.cpp begun_run.cpp decode_drift.cpp disk_space.cpp duplicate_judge.cpp encoder_options.cpp engine.cpp fp32_fallback.cpp image_match.cpp input_hashes.cpp
          memory_log.cpp merge.cpp older_outputs.cpp merge_checks.cpp merged_report.cpp output_state.cpp plain_mode.cpp process_output.cpp recompute.cpp resume_scan.cpp retry_mode.cpp run_begin.cpp run_identity.cpp
          run_json.cpp run_record.cpp run_report.cpp same_vectors.cpp session.cpp input_survey.cpp planning.cpp rung_timing.cpp session_checks.cpp session_input.cpp indexing.cpp shard_choices.cpp shard_index.cpp shard_mode.cpp
          shard_set.cpp shard_states.cpp update_mode.cpp
  LINKS base domain config input plan prepare encode device store run)
longhaul_test(session SOURCES duplicates_test.cpp fingerprint_test.cpp indexing_test.cpp merge_test.cpp process_output_test.cpp residues_test.cpp reuse_test.cpp rung_timing_test.cpp run_begin_test.cpp session_test.cpp shard_mode_test.cpp update_test.cpp LINKS session fakes)
