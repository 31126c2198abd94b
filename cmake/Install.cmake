# `cmake --install build --prefix TREE`: a tree that can be moved and copied, to machines with the same
# C and C++ libraries or newer ones. All of the program lies in one folder, lib/longhaul: itself, its
# modules, and the libraries they were linked with, which look for each other there ($ORIGIN). It is
# no folder that the system's loader searches, so they serve nobody else.
#
# Components:
#   program   lib/longhaul with what Debian's packages gave, and share/
#   libtorch  lib/longhaul: LibTorch and Arrow, and what they need. The Python wheel (pyproject.toml)
#             is without: its program looks for the wheels of both, which lie beside it
#   link      bin/longhaul
if(APPLE)
  return()
endif()

set(modules "")
get_property(targets DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
foreach(target IN LISTS targets)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "MODULE_LIBRARY")
    list(APPEND modules "$<TARGET_FILE:${target}>")
  endif()
endforeach()
find_program(LONGHAUL_PATCHELF patchelf HINTS "${PROJECT_SOURCE_DIR}/.venv/bin")

foreach(component program libtorch)
  # Generator expressions stand in lists here, which install(CODE) takes as one text.
  install(CODE "block()  # its names are nobody else's
    set(component ${component})
    set(program [[$<TARGET_FILE:longhaul>]])
    set(modules [[${modules}]])
    set(wheels [[${LONGHAUL_WHEELS}]])
    set(patchelf [[${LONGHAUL_PATCHELF}]])
    set(strip [[${CMAKE_STRIP}]])
    set(tree \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}\")
    set(torch [[${LONGHAUL_TORCH_VERSION}]])
    set(arrow [[${LONGHAUL_ARROW_VERSION}]])
    set(version [[${PROJECT_VERSION}]])
    include([[${PROJECT_SOURCE_DIR}/cmake/InstallProgram.cmake]])
    endblock()"
    COMPONENT ${component})
endforeach()
install(CODE "block()
  set(bin \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/bin\")
  file(MAKE_DIRECTORY \"\${bin}\")
  file(CREATE_LINK ../lib/longhaul/longhaul \"\${bin}/longhaul\" SYMBOLIC)
  endblock()"
  COMPONENT link)
install(DIRECTORY configs datasets DESTINATION share/longhaul COMPONENT program)
install(FILES LICENSE CITATION.cff README.md DESTINATION share/doc/longhaul COMPONENT program)
