find_path(BOOST_MATH_INCLUDE_DIR boost/math/distributions/binomial.hpp REQUIRED)
find_path(LBFGSPP_INCLUDE_DIR LBFGS.h REQUIRED)
add_library(longhaul_score_headers INTERFACE)
target_include_directories(longhaul_score_headers SYSTEM INTERFACE "${BOOST_MATH_INCLUDE_DIR}"
                                                                   "${LBFGSPP_INCLUDE_DIR}")
target_link_libraries(longhaul_score_headers INTERFACE Eigen3::Eigen)

longhaul_room(score
  SOURCES array_diff.cpp cross_validation.cpp dataset.cpp diff_settings.cpp distances.cpp fold_file.cpp folds.cpp geometry.cpp head.cpp
          id_join.cpp joined_rows.cpp labels.cpp logistic.cpp metrics.cpp nearest.cpp neighbours.cpp npy.cpp npz.cpp
          output_diff.cpp predictions.cpp products.cpp provenance.cpp run_directory.cpp table.cpp vector_rows.cpp
  LINKS base domain input store
  PRIVATE longhaul_score_headers nlohmann_json::nlohmann_json)
longhaul_test(score
  SOURCES diff_test.cpp nearest_test.cpp metrics_test.cpp folds_test.cpp logistic_test.cpp head_test.cpp
          ../store/store_driver.cpp ../fakes/fault_files.cpp
  LINKS score
  PRIVATE nlohmann_json::nlohmann_json)
