using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

internal static class Refusals
{
    /// <summary>The action is refused, for a reason with these words, naming this file and tensor.</summary>
    public static CheckpointException Expect(
        Func<object> action, string file, string? tensor, params string[] reasonParts)
    {
        var error = Assert.Throws<CheckpointException>(() =>
        {
            if (action() is IDisposable opened) opened.Dispose();
        })!;
        Assert.Multiple(() =>
        {
            Assert.That(error.File, Is.EqualTo(file));
            Assert.That(error.Tensor, Is.EqualTo(tensor));
            foreach (string part in reasonParts) Assert.That(error.Reason, Does.Contain(part));
            Assert.That(error.Message, Does.Contain(file).And.Contain(error.Reason));
        });
        return error;
    }
}
