longhaul_room(input
  SOURCES block_buffer.cpp byte_source.cpp columns.cpp delimited_quotes.cpp delimited_reader.cpp delimiter.cpp fasta_reader.cpp
          header_line.cpp image_folder.cpp image_list.cpp image_place.cpp image_reader.cpp
          image_tar.cpp indexed_reader.cpp input_digest.cpp input_index.cpp selected_reader.cpp selection.cpp input_list.cpp input_notes.cpp json_lines_reader.cpp
          json_object.cpp line_scanner.cpp nucleotide_check.cpp open_input.cpp open_quote.cpp
          sequence_reader.cpp source_content.cpp tar_archive.cpp
  LINKS base domain
  PRIVATE nlohmann_json::nlohmann_json Threads::Threads)
longhaul_test(input
  SOURCES delimited_quotes_test.cpp delimited_reader_test.cpp fasta_reader_test.cpp image_folder_test.cpp image_mutation_test.cpp
          image_reader_test.cpp image_tar_test.cpp indexed_reader_test.cpp input_digest_test.cpp json_lines_reader_test.cpp
          line_scanner_test.cpp mutant_count_test.cpp mutation_test.cpp open_input_test.cpp rules_count.cpp selected_reader_test.cpp
          source_content_test.cpp speed_test.cpp
  LINKS input)
