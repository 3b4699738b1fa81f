using NUnit.Framework;

namespace LoraKernels.Tests.Bindings;

[TestFixture]
internal sealed class CHeaderParserTests
{
    [Test]
    public void Reads_each_kind_of_declaration()
    {
        CHeader header = CHeader.Parse(
            """
            #ifndef SAMPLE_H
            #define SAMPLE_H
            #include <stdint.h>
            #define LIMIT 512 /* of something */
            typedef enum colour { RED = -1, /* a comma, { and } in a comment */ BLUE = 2 } colour;
            typedef struct thing thing;
            typedef struct pair { // one of each
                const thing* first;
                char name[16];
                void (*release)(void* user, int32_t n);
            } pair;
            colour paint(thing** thing_out,
                         float shade);
            const char* version(void);
            #endif
            """);

        Assert.That(header.Constants, Is.EqualTo(new[] { new CConstant("LIMIT", 512) }));
        Assert.That(header.Enums.Single().Name, Is.EqualTo("colour"));
        Assert.That(
            header.Enums.Single().Enumerators,
            Is.EqualTo(new[] { new CConstant("RED", -1), new CConstant("BLUE", 2) }));
        Assert.That(string.Join(' ', header.Structs.Select(type => type.Name)), Is.EqualTo("thing pair"));
        Assert.That(header.Structs[0].IsOpaque, Is.True);

        Assert.That(
            string.Join('\n', HeaderDescription.Of(header).Values),
            Is.EqualTo(
                """
                const int LIMIT = 512
                enum colour : int { RED = -1, BLUE = 2 }
                colour paint(thing** thing_out, float shade)
                struct pair { thing* first; fixed byte name[16]; delegate* unmanaged[Cdecl]<void*, int, void> release; }
                struct thing {  }
                byte* version()
                """));
        Assert.That(
            header.Structs[1].Fields[0].Type,
            Is.EqualTo(new CPointerType(new CNamedType("thing"), TargetIsConst: true)));
    }

    [Test]
    public void Reads_the_branch_that_the_defined_macros_choose()
    {
        const string Text =
            """
            #if defined(FIRST)
            #define EXPORT
            #elif defined(SECOND) && defined(THIRD)
            int32_t second(void);
            #else
            int32_t neither(void);
            #ifdef FOURTH
            int32_t fourth(void);
            #endif
            #endif
            EXPORT int32_t always(void);
            """;

        Assert.That(Names(Text, "FIRST"), Is.EqualTo("always"));
        Assert.That(Names(Text, "FIRST", "SECOND", "THIRD"), Is.EqualTo("always"));
        Assert.That(Names(Text, "EXPORT", "SECOND", "THIRD"), Is.EqualTo("second always"));
        Assert.That(Names(Text, "EXPORT", "SECOND", "FOURTH"), Is.EqualTo("neither fourth always"));
    }

    [TestCase("#include <stdbool.h>", "#include <stdbool.h>")]
    [TestCase("#pragma once", "directive '#pragma once'")]
    [TestCase("#if VERSION > 2\n#endif", "condition 'VERSION > 2'")]
    [TestCase("#if defined(A) || defined(B)\n#endif", "condition 'defined(A) || defined(B)'")]
    [TestCase("#define SQUARE(x) x", "#define SQUARE(x) x")]
    [TestCase("#define NAME \"text\"", "#define NAME \"text\"")]
    [TestCase("#define FLAG 0x10", "#define FLAG 0x10")]
    [TestCase("#define TWICE 1\n#define TWICE 2", "a second #define of TWICE")]
    [TestCase("#ifdef A", "#if without #endif")]
    [TestCase("#endif", "#endif without #if")]
    [TestCase("#define N 4\ntypedef struct s { char name[N]; } s;", "macro N inside a declaration")]
    [TestCase("typedef enum e { A } e;", "'='")]
    [TestCase("typedef enum e { A = 1 << 2 } e;", "'<< 2 } e;'")]
    [TestCase("typedef enum e { A = 1 } other;", "'e'")]
    [TestCase("typedef struct s { int32_t bits : 3; } s;", "': 3; } s;'")]
    [TestCase("typedef struct s { int32_t a, b; } s;", "';'")]
    [TestCase("typedef struct s { struct { float x; } inner; } s;", "a type")]
    [TestCase("typedef struct s s;\ntypedef struct s { float x; } s;", "no second declaration of s")]
    [TestCase("typedef union u { float x; } u;", "'enum' or 'struct'")]
    [TestCase("typedef int32_t number;", "'enum' or 'struct'")]
    [TestCase("unknown f(void);", "a type")]
    [TestCase("unsigned int f(void);", "a type")]
    [TestCase("int32_t f(int32_t);", "a name")]
    [TestCase("int32_t f();", "a type")]
    [TestCase("int32_t f(const int32_t x);", "'*' after a const type")]
    [TestCase("int32_t f(char* const x);", "a name")]
    [TestCase("int32_t f(int32_t x, ...);", "'...);'")]
    [TestCase("extern int32_t x;", "a type")]
    [TestCase("int32_t f(void)", "';'")]
    public void Throws_on_what_it_does_not_know(string text, string complaint) =>
        Assert.That(
            () => CHeader.Parse(text),
            Throws.TypeOf<FormatException>().With.Message.Contains(complaint).And.Message.Match(@"^Line \d+: "));

    [Test]
    public void Errors_name_the_line() =>
        Assert.That(
            () => CHeader.Parse("/* two\nlines */\nint32_t f(void);\nint32_t g(wrong x);\n"),
            Throws.TypeOf<FormatException>().With.Message.EqualTo("Line 4: expected a type, found 'wrong'."));

    private static string Names(string text, params string[] defined) =>
        string.Join(' ', CHeader.Parse(text, defined).Functions.Select(function => function.Name));
}
