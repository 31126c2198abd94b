// The images of one input: a folder, a tar archive, a list or a single file. open_images strings
// sources together.
// One thread at a time. What cannot be read inside a source is a Record with a defect; a source
// that cannot be opened at all is an Error.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "domain/record.hpp"
#include "input/record_reader.hpp"

namespace longhaul::input {

class ImageSource {
 public:
  virtual ~ImageSource() = default;
  // Fills id, payload, stamp, line, kept and defect of a fresh record. False at the end.
  virtual bool next(Record& record) = 0;
  // What was passed over before cursor(), since the source was opened or sent to a place; all of it
  // at the end.
  virtual LeftOut left_out() const = 0;
  // At the end: what there is to say of the source as a whole; mostly nothing.
  virtual std::string warning() const { return {}; }
  // What seek() needs to go on behind the record that was given last; printable ASCII.
  virtual std::string cursor() const = 0;
  // To a place ahead without reading again what lies before it. False, with nothing moved, where
  // that is not a cursor of such a source, or a pipe's that lies behind.
  virtual bool seek(std::string_view cursor) = 0;
};

// Folders within are walked too, depth first; each folder's entries come in bytewise order. Of a
// folder at most `names_held` names are in memory: a larger one is scanned again for the names that
// come next. Hidden entries and files that are not named like images are left out. Links are
// followed; one that leads back to a folder around it is left out, since all in there is read
// already. A folder that cannot be read, and a link to nothing that is named like an image, are
// records with a defect.
std::unique_ptr<ImageSource> open_image_folder(const std::string& path,
                                               std::size_t names_held = 65536);

// An uncompressed tar archive (ustar, pax or GNU), member by member in its order; only its headers
// are read here. Members that are hidden or not named like images are left out; a hard link has the
// bytes of the member it names. Error(kBadData) for what is no tar archive; one that is damaged
// further on, or ends inside any member, gives a defect and ends there. One without an end mark
// gives a warning.
std::unique_ptr<ImageSource> open_image_tar(const std::string& path);

// What --files-from lists, one image a line. A list that is a pipe is opened once and can only be
// entered further on.
std::unique_ptr<ImageSource> open_image_list(const InputSettings& settings);

// One file, whatever its name.
std::unique_ptr<ImageSource> open_single_image(const std::string& path);

// Text of any bytes as printable ASCII without spaces, and back: "a b" is "a%20b".
std::string escape_bytes(std::string_view bytes);
std::string unescape_bytes(std::string_view text);

}  // namespace longhaul::input
