// What a session is made of and does not make itself: readers, preprocessors, encoders. Handed in
// by whoever links the program, so that the session knows neither LibTorch nor Arrow nor OpenCV,
// and tests hand in fakes. The functions are called by one thread; what they make belongs to the
// caller.
#pragma once

#include <functional>
#include <memory>

#include "base/log.hpp"
#include "config/run_config.hpp"
#include "encode/card.hpp"
#include "encode/model_loader.hpp"
#include "input/record_reader.hpp"
#include "prepare/preprocessor.hpp"
#include "session/resume_scan.hpp"

namespace longhaul::session {

struct Workshop {
  encode::ModelLoader models;
  // `log`, when given, is told what the input was taken for; it must outlive the reader. `stop`
  // ends a wait for a stream.
  std::function<std::unique_ptr<input::RecordReader>(
      const config::RunConfig&, const encode::EncoderCard&, std::function<bool()> stop, Log* log)>
      make_reader;
  std::function<std::unique_ptr<prepare::Preprocessor>(
      const config::RunConfig&, const encode::EncoderCard&, std::uint32_t workers,
      const DuplicateOf& duplicate_of)>
      make_preprocessor;
};

}  // namespace longhaul::session
