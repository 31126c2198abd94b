if(LONGHAUL_ARROW)
  longhaul_room(arrow SOURCES arrow_input.cpp decompress.cpp file_stream.cpp parquet_reader.cpp
                              parquet_writer.cpp row_group.cpp text_column.cpp
                LINKS base domain input export PRIVATE longhaul::arrow)
  longhaul_test(arrow SOURCES decompress_test.cpp parquet_reader_test.cpp parquet_writer_test.cpp
                              ../fakes/fault_files.cpp
                LINKS arrow input export PRIVATE longhaul::arrow)
else()
  longhaul_room(arrow SOURCES no_arrow.cpp LINKS base domain input export)
endif()
