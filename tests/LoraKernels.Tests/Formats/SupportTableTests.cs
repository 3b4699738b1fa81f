using LoraKernels.Tests.Bindings;
using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Formats;

/// <summary>README.md says what is tested.</summary>
public sealed class SupportTableTests
{
    [Test]
    public void ReadmeHasTheTableOfFormats() =>
        Assert.That(File.ReadAllText(Path.Combine(Repository.Root, "README.md")), Does.Contain(FormatTable.Markdown()));

    [Test]
    public void TheTableHasEveryFormat() =>
        Assert.That(FormatTable.Cases.Select(@case => @case.Format).Distinct(), Is.EquivalentTo(VerificationFormats.All));

    [Test]
    public void EveryFormatOfTheLibraryIsInIt()
    {
        IEnumerable<WeightFormat> tested = FormatTable.Cases
            .Select(@case => WeightSamples.Create(@case with { OutFeatures = 8 }, new Random(1)).Format).Distinct();
        Assert.That(tested, Is.EquivalentTo(Enum.GetValues<WeightFormat>()));
    }
}
