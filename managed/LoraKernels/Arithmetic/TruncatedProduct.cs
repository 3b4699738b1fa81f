namespace LoraKernels;

/// <summary>
/// The best approximation of a sum of updates by one of a given rank. The sum is B · A with factors one after the other, so
/// that the singular values of its N × K elements are those of a small core: B = Q · R, Aᵀ = P · S, core = R · Sᵀ.
/// </summary>
internal static class TruncatedProduct
{
    public static LoraFactors Of(ModuleTerms module, int? wantedRank)
    {
        LoraFactors first = module.Terms[0].Factors;
        int inFeatures = (int)first.A.Columns, outFeatures = (int)first.B.Rows;
        int total = (int)module.Terms.Sum(term => term.Factors.Rank);
        int rank = wantedRank ?? (int)module.Terms.Max(term => term.Factors.Rank);

        // Columns, each contiguous.
        double[][] b = new double[total][], a = new double[total][];
        int from = 0;
        foreach ((LoraFactors factors, float factor) in module.Terms)
        {
            float[] ofA = factors.A.ToSingles(), ofB = factors.B.ToSingles();
            int own = (int)factors.Rank;
            // PEFT's update has its scale and is multiplied by weight · scale.
            double multiplier = (double)factor * factors.Scale;
            for (int r = 0; r < own; r++, from++)
            {
                a[from] = [.. ofA.AsSpan(r * inFeatures, inFeatures).ToArray().Select(v => multiplier * v)];
                b[from] = new double[outFeatures];
                for (int n = 0; n < outFeatures; n++)
                    b[from][n] = ofB[n * own + r];
            }
        }
        double[,] upperB = Orthogonal.Factor(b), upperA = Orthogonal.Factor(a);
        double[][] core = new double[total][];
        for (int c = 0; c < total; c++)
        {
            core[c] = new double[total];
            for (int row = 0; row < total; row++)
            {
                double sum = 0;
                for (int i = Math.Max(row, c); i < total; i++)
                    sum += upperB[row, i] * upperA[c, i];
                core[c][row] = sum;
            }
        }
        double[][] right = Orthogonal.Jacobi(core);
        int[] order = [.. Enumerable.Range(0, total).OrderByDescending(i => Orthogonal.Dot(core[i], core[i]))];

        var newA = new float[(long)rank * inFeatures];
        var newB = new float[(long)outFeatures * rank];
        for (int r = 0; r < Math.Min(rank, total); r++)
        {
            // core = U · S · Vᵀ: its columns have become U · S, and V is `right`.
            double[] left = Orthogonal.Combine(b, core[order[r]]), ofRight = Orthogonal.Combine(a, right[order[r]]);
            for (int n = 0; n < outFeatures; n++)
                newB[n * rank + r] = (float)left[n];
            for (int k = 0; k < inFeatures; k++)
                newA[r * inFeatures + k] = (float)ofRight[k];
        }
        return new LoraFactors(
            module.Name, HostMatrix.FromSingles(newA, rank, inFeatures, first.A.DType),
            HostMatrix.FromSingles(newB, outFeatures, rank, first.B.DType), 1)
        {
            IsEmbedding = first.IsEmbedding,
        };
    }
}
