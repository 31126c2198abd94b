if(LONGHAUL_ARROW)
  longhaul_room(arrow SOURCES arrow_input.cpp decompress.cpp parquet_reader.cpp text_column.cpp
                LINKS base domain input PRIVATE longhaul::arrow)
  longhaul_test(arrow SOURCES decompress_test.cpp parquet_reader_test.cpp
                LINKS arrow input PRIVATE longhaul::arrow)
else()
  longhaul_room(arrow SOURCES no_arrow.cpp LINKS base domain input)
endif()
