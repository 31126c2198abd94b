longhaul_room(base
  SOURCES chained_lines.cpp csv_reader.cpp field_splitter.cpp hash.cpp own_file.cpp text.cpp file_lines.cpp files.cpp posix_errors.cpp posix_files.cpp start_thread.cpp worker_pool.cpp
  PRIVATE longhaul_xxhash OpenSSL::Crypto Threads::Threads)
longhaul_test(base SOURCES csv_reader_test.cpp text_test.cpp hash_test.cpp bounded_queue_test.cpp files_test.cpp
  start_thread_test.cpp worker_pool_test.cpp LINKS base)
