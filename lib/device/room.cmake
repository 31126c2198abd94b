if(APPLE)
  set(LONGHAUL_HOST_MEMORY host_memory_macos.cpp processor_share_other.cpp)
else()
  set(LONGHAUL_HOST_MEMORY host_memory_linux.cpp processor_share_linux.cpp)
endif()
longhaul_room(device
  SOURCES memory_reading.cpp ${LONGHAUL_HOST_MEMORY} leak_monitor.cpp trend.cpp
  LINKS base domain)
target_link_libraries(longhaul_device PUBLIC nlohmann_json::nlohmann_json)
longhaul_test(device
  SOURCES memory_reading_test.cpp memory_sanity_test.cpp leak_monitor_test.cpp fake_device_test.cpp
          processor_share_test.cpp
  LINKS device fakes)
