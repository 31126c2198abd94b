# Included by the script of `cmake --install` (Install.cmake), which sets
#   component  program or libtorch
#   program, modules   files of the build
#   wheels     folders of Python packages whose libraries are the component libtorch
#   tree       where all goes
#   patchelf, strip    programs
cmake_policy(VERSION 3.25)
set(place "${tree}/lib/longhaul")
file(MAKE_DIRECTORY "${place}")
if(NOT patchelf)
  message(FATAL_ERROR "no patchelf: run scripts/setup, or pass -DLONGHAUL_PATCHELF=<program>")
endif()

# What the loader finds for program and modules, but for what every system of this age has.
execute_process(COMMAND ldd "${program}" ${modules} OUTPUT_VARIABLE loaded COMMAND_ERROR_IS_FATAL ANY)
if(loaded MATCHES "[^\n]*not found")
  message(FATAL_ERROR "a library is missing:${CMAKE_MATCH_0}")
endif()
string(REGEX MATCHALL "=> /[^\n]* \\(0x" lines "${loaded}")
set(of_program "")
set(of_libtorch "")
foreach(line IN LISTS lines)
  string(REGEX REPLACE "^=> (.*) \\(0x$" "\\1" library "${line}")
  if(library MATCHES "/(libc|libm|libpthread|librt|libdl|libresolv|libutil|libanl|libmvec|libstdc\\+\\+|libgcc_s)\\.so")
    continue()
  endif()
  file(REAL_PATH "${library}" real)
  set(owner of_program)
  foreach(wheel IN LISTS wheels)
    file(REAL_PATH "${wheel}" folder)
    string(FIND "${real}" "${folder}/" at)
    if(at EQUAL 0)
      set(owner of_libtorch)
    endif()
  endforeach()
  list(APPEND ${owner} "${library}")
endforeach()
list(REMOVE_DUPLICATES of_program)
list(REMOVE_DUPLICATES of_libtorch)

# Copies to `place` under its name; LibTorch's and Arrow's own already look beside themselves.
function(put file)
  get_filename_component(name "${file}" NAME)
  file(REAL_PATH "${file}" real)
  file(REMOVE "${place}/${name}")  # a copy that is running is left to those who run it
  file(COPY_FILE "${real}" "${place}/${name}")
  file(CHMOD "${place}/${name}" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
       GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
endfunction()

function(look_in path)
  set(copies ${ARGN})
  list(TRANSFORM copies REPLACE "^.*/" "${place}/")
  foreach(copy IN LISTS copies)
    execute_process(COMMAND "${patchelf}" --set-rpath "${path}" "${copy}" COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
endfunction()

if(component STREQUAL "libtorch")
  foreach(library IN LISTS of_libtorch)
    put("${library}")
  endforeach()
  return()
endif()

foreach(file IN LISTS program modules of_program)
  put("${file}")
endforeach()
foreach(file IN LISTS program modules)
  get_filename_component(name "${file}" NAME)
  execute_process(COMMAND "${strip}" "${place}/${name}" COMMAND_ERROR_IS_FATAL ANY)
endforeach()
look_in("$ORIGIN" ${modules} ${of_program})
# The wheels of LibTorch and Arrow, where this is a wheel itself: TREE is site-packages/longhaul.
look_in("$ORIGIN:$ORIGIN/../../../torch/lib:$ORIGIN/../../../pyarrow" "${program}")

# What the program says of itself.
function(say file)
  get_filename_component(folder "${tree}/share/${file}" DIRECTORY)
  file(MAKE_DIRECTORY "${folder}")
  execute_process(COMMAND "${program}" ${ARGN} OUTPUT_FILE "${tree}/share/${file}" COMMAND_ERROR_IS_FATAL ANY)
endfunction()
say(man/man1/longhaul.1 man)
say(bash-completion/completions/longhaul completion bash)
say(zsh/site-functions/_longhaul completion zsh)
say(fish/vendor_completions.d/longhaul.fish completion fish)
file(WRITE "${tree}/share/longhaul/built_with.json"
     "{\"longhaul\": \"${version}\", \"torch\": \"${torch}\", \"pyarrow\": \"${arrow}\"}\n")

# The licences of what Debian's packages gave, where they lie as Debian has them.
find_program(dpkg dpkg-query)
if(dpkg)
  # A path is looked up at once, a pattern among all files of the system; a package may know what
  # lies in /usr/lib as being in /lib.
  set(names "")
  foreach(library IN LISTS of_program)
    file(REAL_PATH "${library}" real)
    string(REGEX REPLACE "^/usr/" "/" merged "${real}")
    list(APPEND names "${real}" "${merged}")
  endforeach()
  execute_process(COMMAND "${dpkg}" -S ${names} OUTPUT_VARIABLE owners ERROR_QUIET)
  string(REGEX MATCHALL "(^|\n)[^:\n]+:" packages "${owners}")
  list(TRANSFORM packages REPLACE "[\n:]" "")
  list(REMOVE_DUPLICATES packages)
  foreach(package IN LISTS packages)
    if(EXISTS "/usr/share/doc/${package}/copyright")
      file(REAL_PATH "/usr/share/doc/${package}/copyright" text)
      file(MAKE_DIRECTORY "${tree}/share/doc/longhaul/libraries")
      file(COPY_FILE "${text}" "${tree}/share/doc/longhaul/libraries/${package}")
    endif()
  endforeach()
endif()
