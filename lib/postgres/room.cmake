# The only room that sees libpq, which brings a dozen libraries. The program never links it: it is a
# module beside the program, loaded for `longhaul push` alone.
if(NOT LONGHAUL_POSTGRES)
  return()
endif()
find_path(LIBPQ_INCLUDE_DIR libpq-fe.h PATH_SUFFIXES postgresql libpq REQUIRED)
find_library(LIBPQ_LIBRARY pq REQUIRED)
add_library(longhaul_libpq INTERFACE)
target_include_directories(longhaul_libpq SYSTEM INTERFACE "${LIBPQ_INCLUDE_DIR}")
target_link_libraries(longhaul_libpq INTERFACE "${LIBPQ_LIBRARY}")

longhaul_room(postgres
  SOURCES connection.cpp copy_rows.cpp postgres_table.cpp refusal.cpp table_sql.cpp
  LINKS base domain export
  PRIVATE nlohmann_json::nlohmann_json)
# Its users see libpq's header.
target_link_libraries(longhaul_postgres PUBLIC longhaul_libpq)

add_library(longhaul_postgres_module MODULE "${PROJECT_SOURCE_DIR}/lib/postgres/module.cpp")
target_link_libraries(longhaul_postgres_module PRIVATE longhaul_postgres longhaul_warnings)
set_target_properties(longhaul_postgres_module PROPERTIES OUTPUT_NAME longhaul_postgres
                      LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")

longhaul_test(postgres SOURCES copy_rows_test.cpp refusal_test.cpp table_sql_test.cpp LINKS postgres)
