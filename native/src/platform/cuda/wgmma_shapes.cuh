// The operand lists of wgmma's shapes: an asm statement names each accumulator register. Only wgmma.cuh includes this.
#pragma once

// "%0, %1, …": the accumulators' placeholders in the instruction's text.
#define LK_WGMMA_PLACEHOLDERS_4 "%0, %1, %2, %3"
#define LK_WGMMA_PLACEHOLDERS_8 \
    LK_WGMMA_PLACEHOLDERS_4     \
    ", %4, %5, %6, %7"
#define LK_WGMMA_PLACEHOLDERS_16 \
    LK_WGMMA_PLACEHOLDERS_8      \
    ", %8, %9, %10, %11, %12, %13, %14, %15"
#define LK_WGMMA_PLACEHOLDERS_32 \
    LK_WGMMA_PLACEHOLDERS_16     \
    ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define LK_WGMMA_PLACEHOLDERS_64                                                       \
    LK_WGMMA_PLACEHOLDERS_32                                                           \
    ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47" \
    ", %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define LK_WGMMA_PLACEHOLDERS_128                                                                  \
    LK_WGMMA_PLACEHOLDERS_64                                                                       \
    ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"             \
    ", %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"             \
    ", %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111" \
    ", %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"

// "+f"(d[0]), "+f"(d[1]), …: the accumulators themselves, from index i on.
#define LK_WGMMA_ACCUMULATORS_4(d, i) "+f"(d[i]), "+f"(d[(i) + 1]), "+f"(d[(i) + 2]), "+f"(d[(i) + 3])
#define LK_WGMMA_ACCUMULATORS_8(d, i) LK_WGMMA_ACCUMULATORS_4(d, i), LK_WGMMA_ACCUMULATORS_4(d, (i) + 4)
#define LK_WGMMA_ACCUMULATORS_16(d, i) LK_WGMMA_ACCUMULATORS_8(d, i), LK_WGMMA_ACCUMULATORS_8(d, (i) + 8)
#define LK_WGMMA_ACCUMULATORS_32(d, i) LK_WGMMA_ACCUMULATORS_16(d, i), LK_WGMMA_ACCUMULATORS_16(d, (i) + 16)
#define LK_WGMMA_ACCUMULATORS_64(d, i) LK_WGMMA_ACCUMULATORS_32(d, i), LK_WGMMA_ACCUMULATORS_32(d, (i) + 32)
#define LK_WGMMA_ACCUMULATORS_128(d, i) LK_WGMMA_ACCUMULATORS_64(d, i), LK_WGMMA_ACCUMULATORS_64(d, (i) + 64)

// One shape: Columns columns, Registers = Columns / 2 accumulators a thread, and the four placeholders after them.
// `accumulate` is a predicate: without it the old accumulators are ignored.
#define LK_WGMMA_SHARED_A(Type, Columns, Registers, A, B, Accumulate)                       \
    asm volatile("{ .reg .pred p; setp.ne.b32 p, " Accumulate                               \
                 ", 0;\n\t"                                                                 \
                 "wgmma.mma_async.sync.aligned.m64n" #Columns "k16.f32." Type "." Type      \
                 " {" LK_WGMMA_PLACEHOLDERS_##Registers "}, " A ", " B ", p, 1, 1, 0, 0; }" \
                 : LK_WGMMA_ACCUMULATORS_##Registers(d, 0)                                  \
                 : "l"(a_descriptor), "l"(b_descriptor), "r"(static_cast<int>(accumulate))  \
                 : "memory")

#define LK_WGMMA_REGISTER_A(Type, Columns, Registers, A0, A1, A2, A3, B, Accumulate)                                \
    asm volatile("{ .reg .pred p; setp.ne.b32 p, " Accumulate                                                       \
                 ", 0;\n\t"                                                                                         \
                 "wgmma.mma_async.sync.aligned.m64n" #Columns "k16.f32." Type "." Type                              \
                 " {" LK_WGMMA_PLACEHOLDERS_##Registers "}, {" A0 ", " A1 ", " A2 ", " A3 "}, " B ", p, 1, 1, 0; }" \
                 : LK_WGMMA_ACCUMULATORS_##Registers(d, 0)                                                          \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b_descriptor), "r"(static_cast<int>(accumulate)) \
                 : "memory")

// All shapes of one type, chosen by N at compile time.
#define LK_WGMMA_SHARED_A_SHAPES(Type)                             \
    if constexpr (N == 8) {                                        \
        LK_WGMMA_SHARED_A(Type, 8, 4, "%4", "%5", "%6");           \
    } else if constexpr (N == 16) {                                \
        LK_WGMMA_SHARED_A(Type, 16, 8, "%8", "%9", "%10");         \
    } else if constexpr (N == 32) {                                \
        LK_WGMMA_SHARED_A(Type, 32, 16, "%16", "%17", "%18");      \
    } else if constexpr (N == 64) {                                \
        LK_WGMMA_SHARED_A(Type, 64, 32, "%32", "%33", "%34");      \
    } else if constexpr (N == 128) {                               \
        LK_WGMMA_SHARED_A(Type, 128, 64, "%64", "%65", "%66");     \
    } else if constexpr (N == 256) {                               \
        LK_WGMMA_SHARED_A(Type, 256, 128, "%128", "%129", "%130"); \
    }

#define LK_WGMMA_REGISTER_A_SHAPES(Type)                                                     \
    if constexpr (N == 8) {                                                                  \
        LK_WGMMA_REGISTER_A(Type, 8, 4, "%4", "%5", "%6", "%7", "%8", "%9");                 \
    } else if constexpr (N == 16) {                                                          \
        LK_WGMMA_REGISTER_A(Type, 16, 8, "%8", "%9", "%10", "%11", "%12", "%13");            \
    } else if constexpr (N == 32) {                                                          \
        LK_WGMMA_REGISTER_A(Type, 32, 16, "%16", "%17", "%18", "%19", "%20", "%21");         \
    } else if constexpr (N == 64) {                                                          \
        LK_WGMMA_REGISTER_A(Type, 64, 32, "%32", "%33", "%34", "%35", "%36", "%37");         \
    } else if constexpr (N == 128) {                                                         \
        LK_WGMMA_REGISTER_A(Type, 128, 64, "%64", "%65", "%66", "%67", "%68", "%69");        \
    } else if constexpr (N == 256) {                                                         \
        LK_WGMMA_REGISTER_A(Type, 256, 128, "%128", "%129", "%130", "%131", "%132", "%133"); \
    }
