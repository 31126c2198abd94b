longhaul_room(encode
  SOURCES batch.cpp card.cpp contract.cpp golden.cpp model_advice.cpp model_checks.cpp model_file.cpp
          model_kind.cpp outputs.cpp pooling.cpp zip_directory.cpp
  LINKS base domain device plan
  PRIVATE nlohmann_json::nlohmann_json)
longhaul_test(encode SOURCES card_test.cpp contract_test.cpp golden_test.cpp model_kind_test.cpp
                             pooling_test.cpp LINKS encode fakes
              PRIVATE nlohmann_json::nlohmann_json)
