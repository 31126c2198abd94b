#include "base/field_splitter.hpp"

#include <algorithm>
#include <cstring>

namespace longhaul {

void FieldSplitter::split(std::string_view line) {
  fields_.clear();
  text_after_quote_ = quote_left_open_ = false;
  const char* at = line.data();
  const char* const end = at + line.size();
  for (;;) {
    const auto left = static_cast<std::size_t>(end - at);
    const void* found = left == 0 ? nullptr : std::memchr(at, delimiter_, left);
    if (found == nullptr) {
      fields_.emplace_back(at, left);
      return;
    }
    const char* stop = static_cast<const char*>(found);
    fields_.emplace_back(at, static_cast<std::size_t>(stop - at));
    at = stop + 1;
  }
}

void FieldSplitter::split_alone(std::string_view line) {
  clear();
  add(line);
  if (inside_quotes()) {
    // All quotes behind the open one are doubled, so none of them can be left open in its turn.
    text_.resize(ends_.empty() ? 0 : ends_.back());
    text_ += '"';
    state_ = State::kPlain;
    quote_left_open_ = true;
    add(line.substr(opened_at_ + 1));
  }
  finish();
}

void FieldSplitter::clear() {
  state_ = State::kFieldStart;
  text_after_quote_ = quote_left_open_ = false;
  text_.clear();
  ends_.clear();
  fields_.clear();
}

void FieldSplitter::forget() {
  constexpr std::size_t kLargeBytes = 1U << 20;
  if (text_.capacity() > kLargeBytes) {
    text_ = std::string();
  }
  text_.clear();
  ends_.clear();
}

void FieldSplitter::end_field() {
  ends_.push_back(text_.size());
  state_ = State::kFieldStart;
}

void FieldSplitter::add(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    switch (state_) {
      case State::kQuoted: {
        const std::size_t quote = text.find('"', at);
        const std::size_t end = quote == std::string_view::npos ? text.size() : quote;
        text_.append(text, at, end - at);
        at = end;
        if (quote != std::string_view::npos) {
          state_ = State::kQuoteSeen;
        }
        break;
      }
      case State::kQuoteSeen:
        if (c == '"') {
          text_ += c;
          state_ = State::kQuoted;
        } else if (c == delimiter_) {
          end_field();
        } else {
          text_after_quote_ = true;
          text_ += c;
          state_ = State::kPlain;
        }
        break;
      case State::kFieldStart:
        if (c == '"') {
          state_ = State::kQuoted;
          ++quotes_opened_;
          opened_at_ = at;
          break;
        }
        state_ = State::kPlain;
        [[fallthrough]];
      case State::kPlain: {
        const std::size_t end = std::min(text.find(delimiter_, at), text.size());
        text_.append(text, at, end - at);
        at = end;
        if (end < text.size()) {
          end_field();
        }
        break;
      }
    }
  }
}

void FieldSplitter::finish() {
  end_field();
  std::size_t begin = 0;
  for (const std::size_t end : ends_) {
    fields_.emplace_back(text_.data() + begin, end - begin);
    begin = end;
  }
}

}  // namespace longhaul
