# longhaul_python_package(torch result): the folder of an installed package of Python's, empty where
# there is none. It is looked for in .venv, else in the Python that builds a wheel (pyproject.toml).
function(longhaul_python_package name result)
  set(${result} "" PARENT_SCOPE)
  file(GLOB found "${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/${name}")
  if(NOT found AND SKBUILD)
    find_package(Python3 REQUIRED COMPONENTS Interpreter)
    execute_process(COMMAND "${Python3_EXECUTABLE}" -c
      "import importlib.util as u; s = u.find_spec('${name}'); print(s.submodule_search_locations[0] if s else '')"
      OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  endif()
  if(found)
    list(GET found 0 found)
    set(${result} "${found}" PARENT_SCOPE)
  endif()
endfunction()
