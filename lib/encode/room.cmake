longhaul_room(encode
  SOURCES batch.cpp card.cpp golden.cpp model_file.cpp pooling.cpp
  LINKS base device
  PRIVATE nlohmann_json::nlohmann_json)
longhaul_test(encode SOURCES card_test.cpp golden_test.cpp pooling_test.cpp LINKS encode
              PRIVATE nlohmann_json::nlohmann_json)
