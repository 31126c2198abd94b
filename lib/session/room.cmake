longhaul_room(session
  SOURCES auto_settings.cpp encoder_options.cpp fp32_fallback.cpp image_match.cpp input_hashes.cpp
          memory_log.cpp output_state.cpp recompute.cpp resume_scan.cpp retry_run.cpp run_identity.cpp
          run_json.cpp run_report.cpp session_checks.cpp
  LINKS base domain config input plan prepare encode device store run)
