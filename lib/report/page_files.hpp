// The files that the page is made of, as they were when the program was built: those of
// lib/report/page, and the charting library as the package manager put it. Constants; any thread.
#pragma once

#include <string_view>

namespace longhaul::report {

extern const std::string_view kPageHtml;
extern const std::string_view kPageCss;
extern const std::string_view kPageCharts;
extern const std::string_view kPageScript;
extern const std::string_view kChartLibrary;
extern const std::string_view kChartLicence;  // what its licence asks to go along with it

}  // namespace longhaul::report
