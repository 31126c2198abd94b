// All records of the input, in one output directory. Others are made of it (update_mode.cpp).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "session/mode.hpp"
#include "session/older_outputs.hpp"

namespace longhaul::session {

class PlainMode : public Mode {
 public:
  // Borrows `config` and `host`. `path`: the directory; `reuse`: older outputs, whose rows it
  // takes.
  PlainMode(const config::RunConfig& config, const Host& host,
            const std::optional<Continuation>& continuation, std::string path,
            const std::vector<OlderOutput>& reuse);

  const RunFacts& facts() const override { return facts_; }
  store::StoreDirectory* directory() override { return directory_.get(); }
  const std::optional<RunBegin>& follows() const override { return follows_; }
  ExitCode already_finished(const encode::EncoderCard& card) override;
  void require_same_settings(const nlohmann::json& fingerprint) override;
  bool settle(const nlohmann::json&, const Choices&) override { return true; }
  RunBegin begin(RunBegin fresh) const override;
  std::unique_ptr<input::DigestedReader> select(
      std::unique_ptr<input::RecordReader> whole,
      const std::function<std::unique_ptr<input::RecordReader>()>& again) override;
  run::OlderRows* older_rows(const store::StoreLayout& layout) override;
  void reject_input() override {}
  Conclusion conclude(const Counters& counters) override;
  nlohmann::ordered_json report(nlohmann::ordered_json run) const override { return run; }
  // Nothing of the older outputs is open afterwards.
  void deliver() override {
    rows_.reset();
    older_.reset();
    directory_.reset();
  }

 protected:
  const config::RunConfig& config() const { return config_; }
  const Host& host() const { return host_; }
  RunFacts& told() { return facts_; }
  const std::optional<OlderOutputs>& older() const { return older_; }
  // Deletes what was begun: the run begins anew.
  void discard();

 private:
  void follow();

  const config::RunConfig& config_;
  const Host& host_;
  const std::string path_;
  std::optional<OlderOutputs> older_;
  std::unique_ptr<store::StoreDirectory> directory_;
  std::optional<RunBegin> follows_;
  std::unique_ptr<run::OlderRows> rows_;
  RunFacts facts_;
};

std::unique_ptr<Mode> plain_mode(const config::RunConfig& config, const Host& host,
                                 const std::optional<Continuation>& continuation);

}  // namespace longhaul::session
