# The only room that sees OpenCV and the libraries of single image formats. The program never links it: it is a
# module beside the program, loaded for image runs alone.
if(NOT LONGHAUL_VISION)
  return()
endif()
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
# Not find_package(OpenCV): Debian has its description only in a package that installs all of it.
find_path(OPENCV_INCLUDE_DIR opencv2/imgcodecs.hpp PATH_SUFFIXES opencv4 REQUIRED)
find_library(OPENCV_CORE_LIBRARY opencv_core REQUIRED)
find_library(OPENCV_IMGCODECS_LIBRARY opencv_imgcodecs REQUIRED)
set(LONGHAUL_OPENCV_VERSION "")
foreach(part MAJOR MINOR REVISION)
  file(STRINGS "${OPENCV_INCLUDE_DIR}/opencv2/core/version.hpp" line
       REGEX "define CV_VERSION_${part} ")
  string(REGEX REPLACE ".* ([0-9]+).*" "\\1" number "${line}")
  string(APPEND LONGHAUL_OPENCV_VERSION ".${number}")
endforeach()
string(SUBSTRING "${LONGHAUL_OPENCV_VERSION}" 1 -1 LONGHAUL_OPENCV_VERSION)
add_library(longhaul_opencv INTERFACE)
target_include_directories(longhaul_opencv SYSTEM INTERFACE "${OPENCV_INCLUDE_DIR}")
target_link_libraries(longhaul_opencv INTERFACE "${OPENCV_IMGCODECS_LIBRARY}"
                                                "${OPENCV_CORE_LIBRARY}")
find_path(GIF_INCLUDE_DIR gif_lib.h REQUIRED)
find_library(GIF_LIBRARY gif REQUIRED)
find_path(WEBP_INCLUDE_DIR webp/demux.h REQUIRED)
find_library(WEBPDEMUX_LIBRARY webpdemux REQUIRED)
# HEIC and AVIF where libheif is there.
find_path(HEIF_INCLUDE_DIR libheif/heif.h)
find_library(HEIF_LIBRARY heif)
add_library(longhaul_image_codecs INTERFACE)
target_include_directories(longhaul_image_codecs SYSTEM INTERFACE "${GIF_INCLUDE_DIR}"
                                                                  "${WEBP_INCLUDE_DIR}")
target_link_libraries(longhaul_image_codecs INTERFACE "${GIF_LIBRARY}" "${WEBPDEMUX_LIBRARY}")
if(HEIF_INCLUDE_DIR AND HEIF_LIBRARY)
  set(heif_source decode_heif.cpp)
  target_include_directories(longhaul_image_codecs SYSTEM INTERFACE "${HEIF_INCLUDE_DIR}")
  target_link_libraries(longhaul_image_codecs INTERFACE "${HEIF_LIBRARY}")
else()
  set(heif_source no_heif.cpp)
  message(STATUS "no libheif: HEIC and AVIF images will be unsupported")
endif()

longhaul_room(vision
  SOURCES decode.cpp decode_gif.cpp decode_jpeg.cpp decode_png.cpp decode_other.cpp
          decode_webp_animation.cpp ${heif_source} difference_hash.cpp fit.cpp image_bytes.cpp
          image_kind.cpp image_preprocessor.cpp resample.cpp tiff_header.cpp
  LINKS base domain input encode prepare
  PRIVATE JPEG::JPEG PNG::PNG longhaul_opencv longhaul_image_codecs Threads::Threads)
# Each decoder has a source of its own library, of the same name.
set_target_properties(longhaul_vision PROPERTIES UNITY_BUILD OFF)
if(NOT LONGHAUL_SANITIZE)
  # A second build of the inner loops for newer processors; the sanitizers start too late for it.
  set_source_files_properties("${PROJECT_SOURCE_DIR}/lib/vision/resample.cpp" PROPERTIES
                              COMPILE_OPTIONS "-O3;-DLONGHAUL_CLONES")
endif()

add_library(longhaul_vision_module MODULE "${PROJECT_SOURCE_DIR}/lib/vision/module.cpp")
target_link_libraries(longhaul_vision_module PRIVATE longhaul_vision longhaul_opencv
                      longhaul_warnings)
set_target_properties(longhaul_vision_module PROPERTIES OUTPUT_NAME longhaul_vision
                      LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")

longhaul_test(vision
  SOURCES fit_test.cpp image_preprocessor_test.cpp tiff_header_test.cpp
  LINKS vision PRIVATE JPEG::JPEG PNG::PNG)
if(LONGHAUL_TESTS)
  add_executable(vision_dump "${PROJECT_SOURCE_DIR}/tests/vision/dump.cpp")
  target_link_libraries(vision_dump PRIVATE longhaul_vision longhaul_warnings)
  set_target_properties(vision_dump PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
endif()
