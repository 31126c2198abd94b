longhaul_room(config
  SOURCES settings_table.cpp setting_values.cpp resolve_config.cpp config_file.cpp merged_retries.cpp
          foreign_environment.cpp validate_config.cpp device_list.cpp scheduled_shard.cpp suggest.cpp
  LINKS base domain)
target_link_libraries(longhaul_config PUBLIC nlohmann_json::nlohmann_json)
longhaul_test(config SOURCES settings_test.cpp resolve_test.cpp validate_test.cpp
          configs_test.cpp scheduled_shard_test.cpp LINKS config)
