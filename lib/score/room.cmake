find_path(BOOST_MATH_INCLUDE_DIR boost/math/distributions/binomial.hpp REQUIRED)
find_path(LBFGSPP_INCLUDE_DIR LBFGS.h REQUIRED)
add_library(longhaul_score_headers INTERFACE)
target_include_directories(longhaul_score_headers SYSTEM INTERFACE "${BOOST_MATH_INCLUDE_DIR}"
                                                                   "${LBFGSPP_INCLUDE_DIR}")
target_link_libraries(longhaul_score_headers INTERFACE Eigen3::Eigen)

longhaul_room(score
  SOURCES cross_validation.cpp dataset.cpp fold_file.cpp folds.cpp head.cpp labels.cpp logistic.cpp
          metrics.cpp npy.cpp npz.cpp predictions.cpp provenance.cpp run_directory.cpp table.cpp
  LINKS base domain input store
  PRIVATE longhaul_score_headers nlohmann_json::nlohmann_json)
longhaul_test(score
  SOURCES metrics_test.cpp folds_test.cpp logistic_test.cpp head_test.cpp
  LINKS score)
