// Loads the modules that lie beside the program: parts of it whose libraries are many, which only
// some commands need. A module stays loaded.
// Throws Error: kUnavailable when there is no such module or it belongs to another build.
#pragma once

#include <filesystem>
#include <memory>

#include "export/database_table.hpp"
#include "export/h5_module.hpp"
#include "prepare/image_settings.hpp"

namespace longhaul::app {

// Where the program itself lies, links followed.
std::filesystem::path program_folder();

// liblonghaul_vision.so. kBadData for a card that it cannot serve.
std::unique_ptr<prepare::Preprocessor> load_image_preprocessor(
    const prepare::ImageSettings& settings);

// liblonghaul_postgres.so, connected.
std::unique_ptr<export_room::DatabaseTable> open_database_table(
    const export_room::DatabaseTarget& target);

// liblonghaul_h5.so, which writes tables so.
export_room::MakeSink h5_sink(export_room::H5Layout layout, export_room::NameKey key);

}  // namespace longhaul::app
