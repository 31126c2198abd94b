longhaul_room(prepare
  SOURCES duplicate_filter.cpp sequence_preprocessor.cpp
  LINKS base domain input encode plan
  PRIVATE nlohmann_json::nlohmann_json)
longhaul_test(prepare
  SOURCES duplicate_filter_test.cpp sequence_preprocessor_test.cpp
  LINKS prepare)
