# Run at each build: writes version_values.hpp anew when the commit changed.
execute_process(COMMAND git describe --always --dirty --abbrev=12 WORKING_DIRECTORY "${SOURCE_DIR}"
                OUTPUT_VARIABLE LONGHAUL_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT LONGHAUL_COMMIT)
  set(LONGHAUL_COMMIT "unknown")
endif()
configure_file("${SOURCE_DIR}/apps/longhaul/version_values.hpp.in" "${OUTPUT}" @ONLY)
