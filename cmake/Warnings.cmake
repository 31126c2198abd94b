# longhaul_warnings: what every target of ours is compiled with. Third parties are SYSTEM.
add_library(longhaul_warnings INTERFACE)
target_compile_options(longhaul_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Woverloaded-virtual -Wold-style-cast -Wcast-align -Wformat=2)
if(LONGHAUL_WERROR)
  target_compile_options(longhaul_warnings INTERFACE -Werror)
endif()
