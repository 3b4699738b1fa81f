using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

public sealed class PeftPatternTests
{
    /// <summary>Expected values are those of Python's re.match(rf"(.*\.)?({key})$", module).</summary>
    [TestCase("q_proj", "model.layers.0.self_attn.q_proj", true)]
    [TestCase("q_proj", "q_proj", true)]
    [TestCase("q_proj", "model.layers.0.self_attn.xq_proj", false)]
    [TestCase("q_proj", "model.layers.0.self_attn.q_proj.x", false)]
    [TestCase("layers.1.q", "model.layers.1.q", true)]
    [TestCase("layers.1.q", "model.layers.11.q", false)]
    [TestCase("layers.1.q", "model.layersx1xq", true)]
    [TestCase("model.layers.0.q", "model.layers.0.q", true)]
    [TestCase("model.layers.0.q", "layers.0.q", false)]
    [TestCase("[qv]_proj", "model.layers.0.self_attn.v_proj", true)]
    [TestCase("[qv]_proj", "model.layers.0.self_attn.k_proj", false)]
    [TestCase(@"layers\.[0-9]+\.self_attn\..*", "model.layers.12.self_attn.k_proj", true)]
    [TestCase(@"layers\.[0-9]+\.self_attn\..*", "model.layers.x.self_attn.k_proj", false)]
    [TestCase(@"layers\.(1|2)\.q", "layers.2.q", true)]
    [TestCase(@"layers\.(1|2)\.q", "layers.3.q", false)]
    [TestCase("q_proj|v_proj", "model.v_proj", true)]
    [TestCase("q_proj|v_proj", "model.v_proj.x", false)]
    [TestCase("^q_proj", "q_proj", true)]
    [TestCase("^q_proj", "model.q_proj", false)]
    [TestCase(@"layers\.\d{1,2}\.q", "model.layers.99.q", true)]
    [TestCase(@"layers\.\d{1,2}\.q", "model.layers.100.q", false)]
    [TestCase(@"(?:a|b){2}", "x.ab", true)]
    [TestCase(@"[]x]", "]", true)]
    [TestCase(@"[^]x]", "y", true)]
    [TestCase(@"[^]x]", "]", false)]
    public void MatchesAsPeftDoes(string key, string module, bool expected) =>
        Assert.That(PeftPattern.Parse(key).Matches(module), Is.EqualTo(expected));

    [TestCase("", "0 characters")]
    [TestCase("(", "not a regular expression")]
    [TestCase("a**", "not a regular expression")]
    [TestCase("(a)\\1", @"uses \1")]
    [TestCase("(?=a)", "(?")]
    [TestCase("(?!a)", "(?")]
    [TestCase("(?P<n>a)", "(?")]
    [TestCase("(?<n>a)", "(?")]
    [TestCase("(?i)a", "(?")]
    [TestCase("(?>a)", "(?")]
    [TestCase(@"\p{L}", @"uses \p")]
    [TestCase(@"a\Z", @"uses \Z")]
    [TestCase(@"[\b]", @"uses \b")]
    [TestCase("[a-z-[q]]", "inside a character class")]
    [TestCase("a{,3}", "begins no repetition")]
    [TestCase("a{x}", "begins no repetition")]
    [TestCase("((a{50}){50}){50}", "more than 100 times")]
    [TestCase("a{1000000000}", "more than 100 times")]
    [TestCase("a{99999999999}", "begins no repetition")]
    public void RefusesWhatMeansSomethingElseInPython(string key, string part)
    {
        var error = Assert.Throws<FormatException>(() => PeftPattern.Parse(key))!;
        Assert.That(error.Message, Does.Contain(part));
    }

    [Test]
    public void RefusesLongPatterns() =>
        Assert.Throws<FormatException>(() => PeftPattern.Parse(new string('a', 513)));

    /// <summary>A backtracking matcher needs more than the age of the universe for each of these.</summary>
    [TestCase("(a*)*b"), TestCase("(a|a)*b"), TestCase("(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)b"), TestCase("((a+)+)+b")]
    public void MatchesCatastrophicPatternsAllTheSame(string key) =>
        Assert.That(PeftPattern.Parse(key).Matches(new string('a', 1000)), Is.False);
}
