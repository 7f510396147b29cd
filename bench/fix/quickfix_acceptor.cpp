// The peer of the FIX benchmark: a QuickFIX C++ acceptor that acknowledges every NewOrderSingle with one
// ExecutionReport (New) and does nothing else. Messages are stored in files, as an exchange's must be; nothing is logged,
// and nothing is validated against a data dictionary, which spares this peer work.
//
//   quickfix_acceptor PORT STORE_DIRECTORY [SENDER TARGET]
//
// Prints "ready" when it listens; serves until standard input ends.

#include <quickfix/Application.h>
#include <quickfix/FileStore.h>
#include <quickfix/MessageCracker.h>
#include <quickfix/Session.h>
#include <quickfix/SessionSettings.h>
#include <quickfix/SocketAcceptor.h>
#include <quickfix/fix44/ExecutionReport.h>
#include <quickfix/fix44/NewOrderSingle.h>

#include <iostream>
#include <limits>
#include <sstream>
#include <string>

namespace {

class Acknowledge : public FIX::Application, public FIX::MessageCracker {
public:
  void onCreate(const FIX::SessionID&) override {}
  void onLogon(const FIX::SessionID&) override {}
  void onLogout(const FIX::SessionID&) override {}
  void toAdmin(FIX::Message&, const FIX::SessionID&) override {}
  void toApp(FIX::Message&, const FIX::SessionID&) throw(FIX::DoNotSend) override {}
  void fromAdmin(const FIX::Message&, const FIX::SessionID&)
      throw(FIX::FieldNotFound, FIX::IncorrectDataFormat, FIX::IncorrectTagValue, FIX::RejectLogon) override {}
  void fromApp(const FIX::Message& message, const FIX::SessionID& session)
      throw(FIX::FieldNotFound, FIX::IncorrectDataFormat, FIX::IncorrectTagValue, FIX::UnsupportedMessageType) override {
    crack(message, session);
  }

  void onMessage(const FIX44::NewOrderSingle& order, const FIX::SessionID& session) override {
    FIX::ClOrdID clOrdID;
    FIX::Symbol symbol;
    FIX::Side side;
    FIX::OrderQty quantity;
    FIX::OrdType type;
    order.get(clOrdID);
    order.get(symbol);
    order.get(side);
    order.get(quantity);
    order.get(type);

    const std::string id = std::to_string(++count_);
    FIX44::ExecutionReport report(FIX::OrderID{id}, FIX::ExecID{id}, FIX::ExecType(FIX::ExecType_NEW),
                                  FIX::OrdStatus(FIX::OrdStatus_NEW), side, FIX::LeavesQty(quantity), FIX::CumQty(0),
                                  FIX::AvgPx(0));
    report.set(clOrdID);
    report.set(symbol);
    report.set(quantity);
    report.set(type);
    if (order.isSetField(FIX::FIELD::Price)) {
      FIX::Price price;
      order.get(price);
      report.set(price);
    }
    FIX::Session::sendToTarget(report, session);
  }

private:
  unsigned long count_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 5) {
    std::cerr << "usage: quickfix_acceptor PORT STORE_DIRECTORY [SENDER TARGET]\n";
    return 2;
  }
  const std::string sender = argc == 5 ? argv[3] : "DECALOG";
  const std::string target = argc == 5 ? argv[4] : "BENCH";
  std::stringstream text;
  text << "[DEFAULT]\nConnectionType=acceptor\nSocketAcceptPort=" << argv[1] << "\nSocketReuseAddress=Y\nSocketNodelay=Y\n"
       << "FileStorePath=" << argv[2] << "\nStartTime=00:00:00\nEndTime=00:00:00\nResetOnLogon=Y\nUseDataDictionary=N\n"
       << "[SESSION]\nBeginString=FIX.4.4\nSenderCompID=" << sender << "\nTargetCompID=" << target << "\n";
  try {
    FIX::SessionSettings settings(text);
    Acknowledge application;
    FIX::FileStoreFactory stores(settings);
    FIX::SocketAcceptor acceptor(application, stores, settings);
    acceptor.start();
    std::cout << "ready" << std::endl;
    std::cin.ignore(std::numeric_limits<std::streamsize>::max());
    acceptor.stop(true);
  } catch (const std::exception& error) {
    std::cerr << "quickfix_acceptor: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
