longhaul_room(domain SOURCES counters.cpp left_out.cpp outcome.cpp
  LINKS base)
target_link_libraries(longhaul_domain PUBLIC nlohmann_json::nlohmann_json)
longhaul_test(domain SOURCES left_out_test.cpp words_test.cpp LINKS domain)
