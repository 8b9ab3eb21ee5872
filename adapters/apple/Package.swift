// swift-tools-version:5.9
import PackageDescription

// On Apple's systems the library is qianmo.xcframework beside this file, which
// build-xcframework.sh makes; elsewhere the one that `make install` has installed.
#if os(Linux)
let library = Target.systemLibrary(name: "QianmoC", path: "Sources/QianmoC", pkgConfig: "qianmo")
#else
let library = Target.binaryTarget(name: "QianmoC", path: "qianmo.xcframework")
#endif

let package = Package(
  name: "Qianmo",
  platforms: [.iOS(.v14), .macOS(.v11)],
  products: [.library(name: "Qianmo", targets: ["Qianmo"])],
  targets: [
    library,
    .target(
      name: "Qianmo",
      dependencies: ["QianmoC"],
      path: "Sources/Qianmo",
      resources: [.copy("PrivacyInfo.xcprivacy")]
    ),
  ]
)
