#ifndef GRPC_CXL_COHERENCE_SITE_H_
#define GRPC_CXL_COHERENCE_SITE_H_

#include <cstddef>

namespace grpc_cxl::internal {

// Every place of the code that writes lines back (its name says what becomes visible) or gets
// them anew (kSee...). Names are for the checker: it can leave out one, to prove that a test
// would notice (see Checker). In the order of the rooms; the coherent paths never look at them.
#define GRPC_CXL_SITES(X)       \
  /* ring */                    \
  X(RingBytes)                  \
  X(RingHead)                   \
  X(RingTail)                   \
  X(RingWantSpace)              \
  X(SeeRingBytes)               \
  X(SeeRingHead)                \
  X(SeeRingTail)                \
  X(SeeRingWantSpace)           \
  /* doorbell */                \
  X(DoorbellEpoch)              \
  X(SeeDoorbellEpoch)           \
  /* blocks */                  \
  X(BlockBytes)                 \
  X(BlockReturnEntry)           \
  X(BlockReturned)              \
  X(BlockPagesInUse)            \
  X(SeeBlockBytes)              \
  X(SeeBlockReturned)           \
  X(SeeBlockReturnEntries)      \
  /* link */                    \
  X(LinkHeader)                 \
  X(LinkStreamClosed)           \
  X(SeeLinkStreamClosed)        \
  X(SeeLinkHeadHint)            \
  X(SeeLinkTailHint)            \
  /* direct: the client's */    \
  X(CallRequest)                \
  X(CallSlot)                   \
  X(CallPosted)                 \
  X(CallWaiter)                 \
  X(CallCancelledGeneration)    \
  X(CallCancelled)              \
  X(CallTakenBack)              \
  X(CallAcked)                  \
  X(CallPing)                   \
  X(SeeCallAccepting)           \
  X(SeeCallCancelsSeen)         \
  X(SeeCallWord)                \
  X(SeeCallWordAtEnd)           \
  X(SeeCallResponse)            \
  X(SeeCallNews)                \
  X(SeeCallPong)                \
  /* direct: the server's */    \
  X(CallAccepting)              \
  X(CallTaken)                  \
  X(CallResponse)               \
  X(CallWord)                   \
  X(CallNews)                   \
  X(CallCancelsSeen)            \
  X(SeeCallClientWords)         \
  X(SeeCallClientWordsInRun)    \
  X(SeeCallSlot)                \
  X(SeeCallRequest)             \
  X(SeeCallCancelledGeneration) \
  X(SeeCallTakenBack)           \
  X(SeeCallWaiter)              \
  /* region */                  \
  X(RegionHost)                 \
  X(RegionProcess)              \
  X(RegionBeat)                 \
  X(RegionName)                 \
  X(RegionRequest)              \
  X(RegionRequestState)         \
  X(RegionRequestsMade)         \
  X(RegionAnswer)               \
  X(RegionAnswerState)          \
  X(RegionAnswersMade)          \
  X(SeeRegionHost)              \
  X(SeeRegionProcess)           \
  X(SeeRegionBeat)              \
  X(SeeRegionName)              \
  X(SeeRegionRequest)           \
  X(SeeRegionRequestState)      \
  X(SeeRegionRequestsMade)      \
  X(SeeRegionAnswer)            \
  X(SeeRegionAnswerState)       \
  X(SeeRegionAnswersMade)

enum class Site {
#define GRPC_CXL_SITE(name) k##name,
  GRPC_CXL_SITES(GRPC_CXL_SITE)
#undef GRPC_CXL_SITE
  // Memory before anybody else uses it, and what this process's caches may still hold of what
  // was there before. Not for checkers, whose copies are as new.
  kNewMapping,
};

inline constexpr const char* kSiteNames[] = {
#define GRPC_CXL_SITE(name) #name,
    GRPC_CXL_SITES(GRPC_CXL_SITE)
#undef GRPC_CXL_SITE
};
inline constexpr size_t kSites = sizeof(kSiteNames) / sizeof(*kSiteNames);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_COHERENCE_SITE_H_
