# Writes a C++ source that holds files as text: cmake -DOUTPUT=x.cpp -DINCLUDE=header
#   -DNAMESPACE=a::b "-DFILES=kName=path;kOther=path" -P EmbedText.cmake
set(source "#include \"${INCLUDE}\"\n\nnamespace ${NAMESPACE} {\n")
foreach(entry IN LISTS FILES)
  string(REGEX MATCH "^([^=]+)=(.+)$" matched "${entry}")
  set(name "${CMAKE_MATCH_1}")
  file(READ "${CMAKE_MATCH_2}" bytes HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND source "static const char ${name}Bytes[] = {${bytes}};\n"
                       "const std::string_view ${name}(${name}Bytes, sizeof(${name}Bytes));\n")
endforeach()
string(APPEND source "}  // namespace ${NAMESPACE}\n")
file(WRITE "${OUTPUT}" "${source}")
