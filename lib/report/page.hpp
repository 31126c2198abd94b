// The page: one HTML file that needs no other and asks for none. Every value of the run is in one
// JSON value, escaped so that no text of it can end it, and is only ever set as text; the page's
// policy lets no script run but its own two, by their hashes, and nothing be fetched.
// Pure functions; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace longhaul::report {

// How a page of ours begins.
constexpr std::string_view kPageMark = "<!DOCTYPE html><!-- longhaul report -->";

// `data` is report_data()'s. Text that is not UTF-8 is shown with replacement characters.
std::string make_page(const nlohmann::ordered_json& data);

}  // namespace longhaul::report
