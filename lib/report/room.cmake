# The charting library comes from Debian's libjs-chart.js and is copied into the program when it is built; another
# copy of it by -DLONGHAUL_CHART_JS=FILE.
find_file(LONGHAUL_CHART_JS chart.min.js PATHS /usr/share/javascript/chart.js /usr/share/nodejs/chart.js/dist
          NO_DEFAULT_PATH REQUIRED)
set(page "${PROJECT_SOURCE_DIR}/lib/report/page")
set(page_files "kPageHtml=${page}/page.html" "kPageCss=${page}/page.css" "kPageCharts=${page}/charts.js"
               "kPageScript=${page}/page.js" "kChartLicence=${page}/chart_licence.txt"
               "kChartLibrary=${LONGHAUL_CHART_JS}")
set(page_source "${PROJECT_BINARY_DIR}/generated/report_page_files.cpp")
add_custom_command(OUTPUT "${page_source}"
  COMMAND ${CMAKE_COMMAND} "-DOUTPUT=${page_source}" -DINCLUDE=report/page_files.hpp
          -DNAMESPACE=longhaul::report "-DFILES=${page_files}"
          -P "${PROJECT_SOURCE_DIR}/cmake/EmbedText.cmake"
  DEPENDS "${page}/page.html" "${page}/page.css" "${page}/charts.js" "${page}/page.js"
          "${page}/chart_licence.txt" "${LONGHAUL_CHART_JS}" "${PROJECT_SOURCE_DIR}/cmake/EmbedText.cmake"
  VERBATIM)

longhaul_room(report
  SOURCES covariance.cpp memory_series.cpp page.cpp pictures.cpp principal_axes.cpp record_facts.cpp reject_facts.cpp report_data.cpp
          report_file.cpp vector_map.cpp
  LINKS base domain store
  PRIVATE Eigen3::Eigen nlohmann_json::nlohmann_json)
target_sources(longhaul_report PRIVATE "${page_source}")
set_source_files_properties("${page_source}" PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
longhaul_test(report
  SOURCES report_test.cpp ../store/store_driver.cpp ../fakes/fault_files.cpp
  LINKS report store
  PRIVATE Eigen3::Eigen nlohmann_json::nlohmann_json)
